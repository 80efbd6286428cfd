"""What becomes of messages: how many are taken in, and which become Tasks. Pure; read ``verdict.py`` first."""
