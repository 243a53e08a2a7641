"""Records events about runs and scores from elsewhere: reference scores, imported runs, migrated histories."""
