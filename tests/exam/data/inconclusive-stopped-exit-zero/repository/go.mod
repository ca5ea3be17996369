module example.com/sync
