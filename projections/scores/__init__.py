"""What scores say: leaderboard, comparison, check, and the statistics behind them."""
