"""The wire: what is accepted (commands) and what is shown (no defaults). Never stored."""
