"""The cases of the matrix: what goes wrong, and what each exchange lets a capture know of it."""

from atelier_pipeline_tests.reliability.matrix import EVERY, Case, everywhere
from atelier_pipeline_tests.reliability.virtual import FRAME_BYTES

BYBIT = ("bybit", "bybit_spot")
HOLE = "A.orderbooks sequence"
SILENT = "*.orderbooks silence=0"
CONNECTION_HOLE = "*.orderbooks sequence@; *.trades sequence@"
CUT_BYBIT = (
    "*.orderbooks decode_error@=0; *.trades decode_error@; *.liquidations decode_error@; "
    "*.fundings decode_error@; *.open_interests decode_error@"
)
CUT_SPOT = "*.orderbooks decode_error@=0; *.trades decode_error@"
CUT = "*.orderbooks decode_error@; *.trades decode_error@"
ANYTHING_CUT = {
    "bybit": CUT_BYBIT,
    "bybit_spot": CUT_SPOT,
    "coinbase": CUT_SPOT,
    "coinbase_exchange": CUT,
    "kraken": CUT,
}
NOTHING = everywhere("")
ABOVE_THE_LIMIT = FRAME_BYTES + 1

NO_PROOF_OF_ORDER = "its book messages have neither numbers nor checksums"
NO_PROOF_OF_CONTENT = "its messages are numbered, what they say is not proved"
NO_TRADE_NUMBERS = "its trade ids are not numbers in a row"
NO_PROOF = {"coinbase_exchange": NO_PROOF_OF_ORDER}

CASES = (
    Case("nothing", {"what": "drop", "count": 1, "probability": 0.0}, NOTHING),
    Case(
        "a book message is lost",
        {"what": "drop", "channel": "book"},
        {
            **everywhere(f"{HOLE}=1", *BYBIT),
            "coinbase": CONNECTION_HOLE,
            "coinbase_exchange": "",
            "kraken": "A.orderbooks checksum",
        },
        unseen=NO_PROOF,
    ),
    Case(
        "the first snapshot is lost",
        {"what": "drop", "channel": "snapshot", "after_secs": 0},
        everywhere("A.orderbooks late_start@"),
    ),
    Case(
        "a trade message is lost",
        {"what": "drop", "channel": "trades"},
        {
            **everywhere("", *BYBIT),
            "coinbase": f"{CONNECTION_HOLE}; A.trades trade_id=1",
            **everywhere("A.trades trade_id=1", "coinbase_exchange", "kraken"),
        },
        unseen=everywhere(NO_TRADE_NUMBERS, *BYBIT),
    ),
    Case(
        "a heartbeat is lost",
        {"what": "drop", "channel": "heartbeat"},
        {"coinbase": CONNECTION_HOLE, "coinbase_exchange": "", "kraken": ""},
        of_symbol=False,
    ),
    Case(
        "a book message comes twice",
        {"what": "duplicate", "channel": "book"},
        {
            **everywhere(HOLE, *BYBIT),
            "coinbase": CONNECTION_HOLE,
            "coinbase_exchange": "",
            "kraken": "",
        },
    ),
    Case(
        "a trade message comes twice",
        {"what": "duplicate", "channel": "trades"},
        {**NOTHING, "coinbase": CONNECTION_HOLE},
    ),
    Case(
        "two book messages change places",
        {"what": "reorder", "channel": "book"},
        {
            "bybit": f"{HOLE}=1; {HOLE}",
            "bybit_spot": f"{HOLE}=1; {HOLE}; {HOLE}=1",
            "coinbase": "; ".join([CONNECTION_HOLE] * 3),
            "coinbase_exchange": "",
            "kraken": "A.orderbooks checksum",
        },
        unseen=NO_PROOF,
    ),
    Case(
        "two trade messages change places",
        {"what": "reorder", "channel": "trades"},
        {**NOTHING, "coinbase": "; ".join([CONNECTION_HOLE] * 3)},
        secs=16,
    ),
    Case(
        "a book message is half a second late",
        {"what": "delay", "channel": "book", "delay_secs": 0.5},
        {
            "bybit": f"{HOLE}=1; {HOLE}; {HOLE}=8",
            "bybit_spot": f"{HOLE}=1; {HOLE}; {HOLE}=10",
            "coinbase": "; ".join([CONNECTION_HOLE] * 3),
            "coinbase_exchange": "A.orderbooks crossed",
            "kraken": "A.orderbooks checksum; A.orderbooks checksum",
        },
        unseen=NO_PROOF,
        secs=16,
    ),
    Case(
        "the exchange stalls for 5.5 s, then sends everything",
        {"what": "stall", "for_secs": 5.5},
        everywhere(SILENT),
        of_symbol=False,
        secs=12,
    ),
    Case(
        "a digit is wrong in three book messages",
        {"what": "corrupt_digit", "channel": "book", "count": 3},
        {**NOTHING, "kraken": "A.orderbooks checksum; A.orderbooks checksum"},
        unseen={**everywhere(NO_PROOF_OF_CONTENT, *BYBIT, "coinbase"), **NO_PROOF},
    ),
    Case(
        "a checksum is wrong",
        {"what": "corrupt_checksum", "channel": "book"},
        {"kraken": "A.orderbooks checksum"},
    ),
    Case(
        "a book message is cut off",
        {"what": "truncate", "channel": "book"},
        {
            "bybit": f"{CUT_BYBIT}; {HOLE}=1",
            "bybit_spot": f"{CUT_SPOT}; {HOLE}=1",
            "coinbase": f"{CUT_SPOT}; {CONNECTION_HOLE}",
            "coinbase_exchange": CUT,
            "kraken": CUT,
        },
    ),
    Case(
        "a trade message is cut off",
        {"what": "truncate", "channel": "trades"},
        {
            **ANYTHING_CUT,
            "coinbase": f"{CUT_SPOT}; {CONNECTION_HOLE}; A.trades trade_id=1",
            **everywhere(f"{CUT}; A.trades trade_id=1", "coinbase_exchange", "kraken"),
        },
    ),
    Case(
        "a frame of random bytes comes in between",
        {"what": "garbage"},
        ANYTHING_CUT,
        of_symbol=False,
    ),
    Case(
        "a frame is padded, below the limit",
        {"what": "oversize", "channel": "book", "size_bytes": 100_000},
        NOTHING,
    ),
    Case(
        "a frame is larger than the limit",
        {"what": "oversize", "channel": "book", "size_bytes": ABOVE_THE_LIMIT},
        {
            **everywhere("*.* oversize@; *.* disconnect@"),
            "kraken": "*.* oversize@; *.* disconnect@; A.trades trade_id=1; B.trades trade_id=2",
        },
        of_symbol=False,
    ),
    Case(
        "a number of the books is skipped",
        {"what": "renumber", "channel": "book", "by": 1},
        {**everywhere(f"{HOLE}=1", *BYBIT), "coinbase": CONNECTION_HOLE},
    ),
    Case(
        "a number of the books comes twice",
        {"what": "renumber", "channel": "book", "by": -1},
        {**everywhere(HOLE, *BYBIT), "coinbase": CONNECTION_HOLE},
    ),
    Case(
        "a trade id is skipped",
        {"what": "renumber", "channel": "trades", "by": 1},
        everywhere("A.trades trade_id=1", "coinbase_exchange", "kraken"),
    ),
    Case(
        "the service restarts: a book numbered 1",
        {"what": "restart"},
        everywhere("", *BYBIT),
    ),
    Case(
        "times an hour ahead for a second",
        {"what": "skew", "skew_secs": 3600, "for_secs": 1, "channel": "book"},
        everywhere("A.orderbooks bad_time=0"),
    ),
    Case(
        "five book messages of the year 1",
        {"what": "year_one", "channel": "book", "count": 5},
        everywhere("A.orderbooks bad_time=0", "coinbase", "coinbase_exchange", "kraken"),
    ),
    Case(
        "silence until the connection is given up",
        {"what": "silence"},
        {
            **everywhere("*.* disconnect@"),
            "coinbase_exchange": "*.* disconnect@; A.trades trade_id=45; B.trades trade_id=11",
            "kraken": "*.* disconnect@; A.trades trade_id=25; B.trades trade_id=13",
        },
        of_symbol=False,
        collect={"staleness_secs": 2},
    ),
    Case(
        "heartbeats and no data for 6 s",
        {"what": "quiet", "for_secs": 6},
        {
            "bybit": f"{SILENT}; {HOLE}=126; B.orderbooks sequence=116",
            "bybit_spot": f"{SILENT}; *.orderbooks sequence=118",
            "coinbase": "; ".join(
                [SILENT, "A.trades trade_id=133; B.trades trade_id=36", *[CONNECTION_HOLE] * 9]
            ),
            "coinbase_exchange": f"{SILENT}; *.orderbooks crossed; "
            "A.trades trade_id=121; B.trades trade_id=35",
            "kraken": f"{SILENT}; *.orderbooks checksum; "
            "A.trades trade_id=52; B.trades trade_id=32",
        },
        unseen=everywhere(NO_TRADE_NUMBERS, *BYBIT),
        of_symbol=False,
        secs=16,
    ),
    Case(
        "the connection is closed",
        {"what": "close"},
        {
            **everywhere("*.* disconnect@"),
            "kraken": "*.* disconnect@; A.trades trade_id=1; B.trades trade_id=2",
        },
        of_symbol=False,
    ),
    Case(
        "the connection dies without a close frame",
        {"what": "abort"},
        {
            **everywhere("*.* disconnect@"),
            "kraken": "*.* disconnect@; A.trades trade_id=1; B.trades trade_id=2",
        },
        of_symbol=False,
    ),
    Case(
        "the subscription is heard 4 s late",
        {"what": "hear_late", "delay_secs": 4, "after_secs": 0},
        {
            **everywhere("*.* late_start@"),
            **everywhere("*.orderbooks late_start@", "coinbase", "kraken"),
        },
    ),
    Case(
        "the subscription of a symbol is refused",
        {"what": "refuse", "after_secs": 0, "count": 0},
        everywhere("A.* rejected"),
        unhealed=EVERY,
    ),
    Case(
        "the subscription of a symbol is never heard",
        {"what": "ignore", "after_secs": 0, "count": 0},
        everywhere("*.* late_start@"),
        unhealed=tuple(name for name in EVERY if name != "coinbase_exchange"),
    ),
    Case(
        "the answer to the subscription is lost",
        {"what": "drop", "channel": "ack", "after_secs": 0},
        {**NOTHING, "bybit": "B.liquidations late_start@=0"},
        of_symbol=False,
    ),
)
"""In the order in which they are shown."""
