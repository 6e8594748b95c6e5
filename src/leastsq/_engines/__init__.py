"""How fits are iterated: one, or blocks of many."""
