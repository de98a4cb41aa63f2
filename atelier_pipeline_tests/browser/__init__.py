"""What a person sees and does in the web page, in a real browser."""
