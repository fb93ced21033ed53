"""The report of an experiment as one page for people: sentences first, then HTML or Markdown."""
