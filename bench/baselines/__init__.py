"""What Milepost is measured against."""
