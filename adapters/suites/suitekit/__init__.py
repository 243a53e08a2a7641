"""What every suite shares: asking a model, and reporting what came of it."""
