"""How Coinbase spells products, the same on both of its feeds."""

import re

from atelier_pipeline.exchanges.contract import Refused, Topic

_REFUSED_PRODUCT = re.compile(r"(\S+) is not a valid product")
_ON_EVERY_CHANNEL = frozenset({"USDT-USDC", "EURC-USDC"})


def feed_symbol(product: str) -> str:
    """The product under which the feeds answer: subscribe BTC-USDC, receive BTC-USD.

    https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels
    """
    if product.endswith("-USDC") and product not in _ON_EVERY_CHANNEL:
        return product.removesuffix("C")
    return product


def refused(reason: str) -> Refused:
    """A refusal in the feed's own words, of every channel of the product that they name."""
    named = _REFUSED_PRODUCT.search(reason)
    topic = None if named is None else Topic("", feed_symbol(named[1]))
    return Refused(reason=reason, topic=topic)
