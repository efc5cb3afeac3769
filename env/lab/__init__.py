"""The course's own package: real services, real data, runs, the book and grading."""
