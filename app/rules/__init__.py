"""The law: pure rules as rows. Nothing here awaits, reads a clock or opens a session."""
