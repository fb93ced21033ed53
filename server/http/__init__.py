"""What every endpoint shares: envelope, errors, deadlines, admission, headers, clock."""
