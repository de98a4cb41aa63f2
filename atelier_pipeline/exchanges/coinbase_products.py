"""How Coinbase spells products, the same on both of its feeds."""

_ON_EVERY_CHANNEL = frozenset({"USDT-USDC", "EURC-USDC"})


def feed_symbol(product: str) -> str:
    """The product under which the feeds answer: subscribe BTC-USDC, receive BTC-USD.

    https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels
    """
    if product.endswith("-USDC") and product not in _ON_EVERY_CHANNEL:
        return product.removesuffix("C")
    return product
