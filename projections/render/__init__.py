"""What people and other programs read: text, tables, charts, reports and exports."""
