//! Compares what is declared with what is live, and plans the steps between.
