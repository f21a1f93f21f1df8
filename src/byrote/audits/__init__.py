"""An audit of one model on one data set: stages that each answer one question, a page, and one JSON file."""
