/** In a module of its own, so that a suite that starts programs does not load the application. */
export const TEST_SECRET = 'a-secret-for-tests-0123456789abcdefghij';
