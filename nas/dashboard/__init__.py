"""The explorer served live: studies read while they are written, and what changed sent to every page that is open."""
