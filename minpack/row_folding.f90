! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> QR factorisation of a tall matrix, one block of rows at a time.
!>
!> The memory traffic is one pass over the matrix: each block is folded into the triangle of all rows before
!> it while it is in cache. Pivoting is left to the end and done on the small triangle, whose columns have the
!> same norms and inner products as those of the tall matrix.
!>
!> Reference: G. H. Golub, C. F. Van Loan, Matrix Computations, 4th ed. (2013), section 6.5.4 (adding rows);
!> J. Demmel, L. Grigori, M. Hoemmen, J. Langou, Communication-optimal parallel and sequential QR and LU
!> factorizations, SIAM J. Sci. Comput. 34 (2012), section 2.2 (sequential TSQR).
module row_folding
    use kinds, only: wp, smallest, row_block
    use norms, only: enorm, reordered_norm
    implicit none (type, external)
    private
    public :: fold_block

contains

    !> Fold a block of rows into the triangle of the rows before it: [R q; A b] -> [R q].
    pure subroutine fold_block(rows, n, block, head)
        integer, intent(in) :: rows                             !! rows in this block, at most row_block
        integer, intent(in) :: n                                !! columns of A
        real(wp), intent(inout) :: block(row_block, n + 1)      !! A and b; destroyed
        real(wp), intent(inout) :: head(n, n + 1)               !! upper triangle R and head of Qᵀ b, so far

        real(wp) :: norm, pair(2)
        integer :: j, k

        do j = 1, n
            pair(1) = head(j, j)
            pair(2) = reordered_norm(rows, block(1, j))
            norm = enorm(2, pair)
            if (norm == 0.0_wp) cycle
            if (head(j, j) < 0.0_wp) norm = -norm
            if (abs(norm) >= smallest) then
                block(1:rows, j) = block(1:rows, j)*(1.0_wp/norm)
            else
                block(1:rows, j) = block(1:rows, j)/norm
            end if
            head(j, j) = head(j, j)/norm + 1.0_wp
            do k = j + 1, n, 2
                call reflect_rows_of_pair(rows, head(j, j), block(1, j), head(j, k), head(j, k + 1), block(1, k))
            end do
            if (mod(n - j, 2) == 0) call reflect_rows(rows, head(j, j), block(1, j), head(j, n + 1), block(1, n + 1))
            head(j, j) = -norm
        end do
    end subroutine fold_block

    !> Apply I - v vᵀ/v_1 for v = [head; tail] to [first; rest].
    pure subroutine reflect_rows(rows, head, tail, first, rest)
        integer, intent(in) :: rows
        real(wp), intent(in) :: head
        real(wp), intent(in) :: tail(rows)
        real(wp), intent(inout) :: first
        real(wp), intent(inout) :: rest(rows)

        real(wp) :: projection
        integer :: i

        projection = 0.0_wp
        !$omp simd reduction(+:projection)
        do i = 1, rows
            projection = projection + tail(i)*rest(i)
        end do
        projection = projection/head + first
        first = first - projection*head
        do i = 1, rows
            rest(i) = rest(i) - projection*tail(i)
        end do
    end subroutine reflect_rows

    !> The same for two neighbouring columns, which reads v once for both.
    pure subroutine reflect_rows_of_pair(rows, head, tail, first, second, rest)
        integer, intent(in) :: rows
        real(wp), intent(in) :: head
        real(wp), intent(in) :: tail(rows)
        real(wp), intent(inout) :: first, second
        real(wp), intent(inout) :: rest(row_block, 2)

        real(wp) :: one, two
        integer :: i

        one = 0.0_wp
        two = 0.0_wp
        !$omp simd reduction(+:one, two)
        do i = 1, rows
            one = one + tail(i)*rest(i, 1)
            two = two + tail(i)*rest(i, 2)
        end do
        one = one/head + first
        two = two/head + second
        first = first - one*head
        second = second - two*head
        do i = 1, rows
            rest(i, 1) = rest(i, 1) - one*tail(i)
            rest(i, 2) = rest(i, 2) - two*tail(i)
        end do
    end subroutine reflect_rows_of_pair

end module row_folding
