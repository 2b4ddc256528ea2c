"""Human evaluation of data and of answers: what to ask whom, blind, and how far people agree."""
