def main():
    print('transcoding')


main()
