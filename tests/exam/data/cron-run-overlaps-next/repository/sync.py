print('sync')
