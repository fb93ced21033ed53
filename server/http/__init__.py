"""What all endpoints share: envelope, errors, deadlines, admission, headers, clock."""
