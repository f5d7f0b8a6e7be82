"""A page with a picture of any size. Only tiles that are looked at are read or drawn, at the size that they need."""
