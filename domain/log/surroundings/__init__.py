"""What the database's server says of what is around Milepost: other users, and room for it."""
