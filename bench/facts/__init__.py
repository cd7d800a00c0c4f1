"""What a call did and saw. Every room knows these facts; they know no room."""
