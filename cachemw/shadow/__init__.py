"""Labels for the decision on semantic hits: a fresh answer is compared with a stored one."""
