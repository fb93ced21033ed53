"""What a worker can tell open pages of the dashboard: its last answers, and the windows behind them."""
