"""What stands and moves on a street, and how it is drawn."""
