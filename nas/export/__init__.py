"""A network out of the lab: other libraries, other formats, each checked when it is made."""
