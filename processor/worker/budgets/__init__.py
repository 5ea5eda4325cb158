"""Budgets of sessions: limits of cost, tokens and duration, and endings, each told to a webhook once a crossing."""
