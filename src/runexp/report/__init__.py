"""Plans and results → text: what a person reads on a terminal. Each page is a module of its own."""
