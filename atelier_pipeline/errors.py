"""Every error that this project raises on purpose.

AtelierError
├── SettingsError              a setting or manifest is wrong; raised before anything connects
│   └── WindowOverError        a window that is to be captured is over: it can only be rebuilt
├── DecodeError                a frame is not what its exchange documents: keep it, record, go on
├── SubscriptionRejectedError  the exchange refused a feed: stop that feed, say why
├── ConnectionFailedError      the exchange can't be reached, or retries are used up
├── JournalError               the journal can't be written or read
├── LakeError                  a lake file is refused: another source, a bad name, another schema
└── QueryError                 an SQL query that can't be answered, in the database's words

A message names the file, key or address, the value, and what to do about it.
"""


class AtelierError(Exception):
    """Base of every error a user may cause or have to act on."""


class SettingsError(AtelierError):
    """A setting, manifest or command-line value that can't be used."""


class WindowOverError(SettingsError):
    """A window that was to be captured and has ended."""


class DecodeError(AtelierError):
    """A frame that does not have the shape its exchange documents."""


class SubscriptionRejectedError(AtelierError):
    """A subscription that the exchange refused or never answered."""


class ConnectionFailedError(AtelierError):
    """An address that can't be reached, or a connection that can't be kept."""


class JournalError(AtelierError):
    """A journal that can't be opened, written or read."""


class LakeError(AtelierError):
    """A lake path or file that is refused."""


class QueryError(AtelierError):
    """An SQL query that can't be answered: wrong, not reading only, or over a missing catalog."""
