"""What is asked and what is answered: balls, conditions, questions, verdicts, brackets, replay."""
