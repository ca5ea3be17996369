print('report sent')
