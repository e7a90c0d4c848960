"""Training a student, with or without a teacher."""
