"""HTTP: a handler says who asks, what comes in, what goes out. It decides nothing."""
