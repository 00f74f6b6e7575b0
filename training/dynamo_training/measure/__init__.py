"""What trained heads are worth: perplexities, accepted length, overhead, and the table of them."""
