"""Access control: tokens, TLS, hosts and origins."""
