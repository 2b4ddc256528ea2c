"""The pages people read and the forms they send: one file a noun."""
