! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> The pivoted QR factorisation against its definition.
program test_pivoted_qr
    use kinds, only: wp, eps
    use pivoted_qr, only: qrfac
    use reductions, only: reduction, factor
    use testing, only: check, check_at_most, finish, digits_of
    use matrices, only: random_matrix, random_vector, graded_matrix, upper_triangle, is_permutation, length, &
        column_norms, greatest
    implicit none (type, external)

    real(wp), allocatable :: a(:, :)
    integer :: k

    do k = 1, 5
        call check_factorisation(random_matrix(20, 5), "random 20 x 5")
        call check_greedy_pivots(random_matrix(20, 5), "random 20 x 5")
    end do
    call check_factorisation(random_matrix(7, 7), "random 7 x 7")
    call check_factorisation(random_matrix(300, 12), "random 300 x 12")
    call check_factorisation(random_matrix(1, 1), "one entry")
    call check_factorisation(random_matrix(9, 1), "one column")
    call check_factorisation(graded_matrix(15, 6, 1.0e-3_wp), "graded")
    call check_factorisation(transpose(graded_matrix(8, 8, 1.0e-2_wp)), "graded rows")
    call check_factorisation(1.0e200_wp*random_matrix(12, 4), "scale 1e200")
    call check_factorisation(1.0e-200_wp*random_matrix(12, 4), "scale 1e-200")
    call check_factorisation(matmul(random_matrix(12, 2), random_matrix(2, 5)), "rank 2")
    call check_factorisation(hilbert(10), "Hilbert matrix")
    a = random_matrix(10, 4)
    a(:, 2) = 0.0_wp
    call check_factorisation(a, "zero column")
    call check_zero_columns()
    call check_ties()
    call check_right_hand_sides(random_matrix(20, 5))
    call check_right_hand_sides(random_matrix(20, 4))
    call check_right_hand_sides(random_matrix(4, 4))
    call finish()

contains

    !> The checks every factorisation must pass. Q comes from the identity as further columns.
    subroutine check_factorisation(a, what)
        real(wp), intent(in) :: a(:, :)
        character(*), intent(in) :: what

        real(wp) :: factored(size(a, 1), size(a, 2) + size(a, 1)), image(size(a, 1), size(a, 2))
        real(wp), dimension(size(a, 1), size(a, 1)) :: q_transposed, identity
        real(wp), dimension(size(a, 2)) :: lengths, acnorm, work, work2
        integer :: ipvt(size(a, 2)), i, j, m, n

        m = size(a, 1)
        n = size(a, 2)
        identity = 0.0_wp
        do i = 1, m
            identity(i, i) = 1.0_wp
        end do
        lengths = column_norms(a)
        factored(:, :n) = a
        factored(:, n + 1:) = identity
        call qrfac(m, n, m, factored, ipvt, acnorm, work, work2)
        call check(is_permutation(ipvt), what//": ipvt is a permutation")
        call check_at_most(greatest((acnorm - lengths)/max(lengths, tiny(1.0_wp))), m*eps, what//": error of acnorm")

        ! Householder's method is backward stable column by column; m n eps covers its constant.
        q_transposed = factored(:, n + 1:)
        call check_at_most(greatest(matmul(q_transposed, transpose(q_transposed)) - identity), m*n*eps, &
                           what//": departure of Q from orthogonality")
        image = matmul(q_transposed, a(:, ipvt))
        do j = 1, n
            image(:j, j) = image(:j, j) - factored(:j, j)
            if (lengths(ipvt(j)) > 0.0_wp) image(:, j) = image(:, j)/lengths(ipvt(j))
        end do
        call check_at_most(greatest(image), m*n*eps, what//": error of Qᵀ A P = R")
        call check_pivot_order(upper_triangle(factored(:, :n)), m, lengths(ipvt), what)
    end subroutine check_factorisation

    !> At every step the pivot was the longest of the remaining columns.
    !>
    !> The norms are updated, not recomputed, until the square of one has fallen to 20 eps of what it was. Until then
    !> the rounding of the whole column stays in its square, at most 1/20 of it: half that in the norm.
    subroutine check_pivot_order(r, m, lengths, what)
        real(wp), intent(in) :: r(:, :)
        integer, intent(in) :: m
        real(wp), intent(in) :: lengths(:)
        character(*), intent(in) :: what

        real(wp) :: remaining, slack
        integer :: j, k, n

        n = size(r, 2)
        do j = 1, n
            do k = j + 1, n
                remaining = max(length(r(j:k, k)), tiny(1.0_wp))
                slack = min(0.025_wp, m*n*eps*(lengths(k)/remaining)**2)*abs(r(j, j)) + m*n*eps*lengths(k)
                call check_at_most(remaining, abs(r(j, j)) + slack, &
                                   what//": column "//digits_of(k)//" when "//digits_of(j)//" was the pivot")
            end do
        end do
    end subroutine check_pivot_order

    !> The pivots are those of a greedy search with each remainder computed afresh by projection.
    subroutine check_greedy_pivots(a, what)
        real(wp), intent(in) :: a(:, :)
        character(*), intent(in) :: what

        real(wp), dimension(size(a, 1), size(a, 2)) :: factored, remainder
        real(wp), dimension(size(a, 2)) :: acnorm, work, work2
        real(wp) :: direction(size(a, 1))
        integer :: ipvt(size(a, 2)), j, k, m, n, longest

        m = size(a, 1)
        n = size(a, 2)
        factored = a
        call qrfac(m, n, 0, factored, ipvt, acnorm, work, work2)
        remainder = a
        do j = 1, n
            longest = maxloc(column_norms(remainder), dim=1)
            call check(ipvt(j) == longest, what//": pivot "//digits_of(j)//" is the longest remainder")
            call check_at_most(abs(abs(factored(j, j)) - norm2(remainder(:, longest))), m*n*eps*acnorm(longest), &
                               what//": error of |r_jj| as a length, j = "//digits_of(j))
            direction = remainder(:, longest)/norm2(remainder(:, longest))
            do k = 1, n
                remainder(:, k) = remainder(:, k) - direction*dot_product(direction, remainder(:, k))
            end do
        end do
    end subroutine check_greedy_pivots

    !> Zero columns go last, with a zero on R's diagonal and no reflection.
    subroutine check_zero_columns()
        real(wp) :: a(6, 5), b(6), acnorm(4), work(4), work2(4)
        integer :: ipvt(4), j

        a = random_matrix(6, 5)
        a(:, [1, 3]) = 0.0_wp
        call qrfac(6, 4, 1, a, ipvt, acnorm, work, work2)
        call check(all([(abs(a(j, j)) > 0.0_wp, j=1, 4)] .eqv. [.true., .true., .false., .false.]), &
                   "zero columns: zeros end the diagonal of R")
        call check(all(acnorm([1, 3]) == 0.0_wp), "zero columns: their norms are zero")
        call check(all([any(ipvt(3:) == 1), any(ipvt(3:) == 3)]), "zero columns: come last")

        b = random_vector(6)
        a = 0.0_wp
        a(:, 5) = b
        call qrfac(6, 4, 1, a, ipvt, acnorm, work, work2)
        call check(all(ipvt == [1, 2, 3, 4]), "zero matrix: columns keep their order")
        call check(all(a(:, :4) == 0.0_wp) .and. all(acnorm == 0.0_wp), "zero matrix: R is zero")
        call check(all(a(:, 5) == b), "zero matrix: Q is the identity")
    end subroutine check_zero_columns

    !> Of columns of the same length the first is taken.
    subroutine check_ties()
        real(wp) :: a(4, 3), acnorm(3), work(3), work2(3)
        integer :: ipvt(3), j

        a = 0.0_wp
        a(1, 1) = 2.0_wp
        a(2, 2) = -2.0_wp
        a(4, 3) = 2.0_wp
        call qrfac(4, 3, 0, a, ipvt, acnorm, work, work2)
        call check(all(ipvt == [1, 2, 3]), "ties: columns keep their order")
        call check(all([(abs(a(j, j)) == 2.0_wp, j=1, 3)]), "ties: lengths are exact")

        a = 0.0_wp
        a(1, 1) = 1.0_wp
        a(2:3, 2:3) = 3.0_wp
        call qrfac(4, 3, 0, a, ipvt, acnorm, work, work2)
        call check(ipvt(1) == 2, "ties: the first of two equal columns is the first pivot")
    end subroutine check_ties

    !> A right-hand side rides along, whichever number of them there is.
    subroutine check_right_hand_sides(a)
        real(wp), intent(in) :: a(:, :)

        real(wp) :: b(size(a, 1), 3), one(size(a, 1), size(a, 2) + 1), three(size(a, 1), size(a, 2) + 3)
        real(wp) :: gradient(size(a, 2))
        real(wp), dimension(size(a, 2)) :: acnorm, work, work2
        integer :: ipvt(size(a, 2)), m, n
        type(reduction) :: reduced

        m = size(a, 1)
        n = size(a, 2)
        b = random_matrix(m, 3)
        one(:, :n) = a
        one(:, n + 1) = b(:, 1)
        three(:, :n) = a
        three(:, n + 1:) = b
        call qrfac(m, n, 1, one, ipvt, acnorm, work, work2)
        call qrfac(m, n, 3, three, ipvt, acnorm, work, work2)
        call check(all(one == three(:, :n + 1)), "right-hand sides: one or three, the same bits")
        call check_at_most(abs(norm2(one(:, n + 1)) - norm2(b(:, 1))), m*n*eps*norm2(b(:, 1)), &
                           "right-hand sides: change of the norm of Qᵀ b")

        reduced = factor(a, b(:, 1))
        gradient = matmul(b(:, 1), a(:, ipvt))
        call check(all(reduced%ipvt == ipvt), "factor_rows: pivots of qrfac")
        call check(all(reduced%r == upper_triangle(one(:, :n))), "factor_rows: R of qrfac")
        call check(all(reduced%qtf == one(:n, n + 1)), "factor_rows: Qᵀ b of qrfac")
        call check_at_most(greatest((matmul(reduced%qtf, reduced%r) - gradient)/acnorm(ipvt)), &
                           m*n*eps*norm2(b(:, 1)), "factor_rows: error of Rᵀ (Qᵀ b) = Pᵀ Aᵀ b")
    end subroutine check_right_hand_sides

    !> The Hilbert matrix, of condition 1e13 for order 10.
    pure function hilbert(n) result(h)
        integer, intent(in) :: n
        real(wp) :: h(n, n)

        integer :: i, j

        do j = 1, n
            do i = 1, n
                h(i, j) = 1.0_wp/(i + j - 1)
            end do
        end do
    end function hilbert

end program test_pivoted_qr
