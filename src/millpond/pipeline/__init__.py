"""From the project to a plan, from the plan to steps, from steps to commits."""
