"""Events about what did not run here: reference scores, imported runs, migrated histories."""
