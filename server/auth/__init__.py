"""Who may call: tokens, TLS, hosts and origins."""
