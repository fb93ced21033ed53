"""The queries and statements, in SQL that both databases share."""
