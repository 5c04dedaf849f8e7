"""`holdfast doctor`: which promises hold on this machine, with these venues and these keys."""
