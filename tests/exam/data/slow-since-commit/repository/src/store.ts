export const posts = async () => [{ id: 1, authorId: 7 }];
export const author = async (id: number) => ({ id, name: 'Ada' });
