"""AgentDojo: does an agent do what its user wants, and nothing that an injected text wants?"""
