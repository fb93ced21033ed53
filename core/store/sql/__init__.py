"""What both databases are asked, in the SQL that they share."""
