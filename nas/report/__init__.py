"""From records to what people look at: a data frame, tables, figures, a page."""
