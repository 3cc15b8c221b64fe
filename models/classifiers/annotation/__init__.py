"""An LLM reads texts against rubrics: questions, answers, values, agreement, cost."""
